/*---
description: Each scheduled departure with the weather at its airport in its hour.
owner: weather@example.com
group: weather
tags: [weather]
tests:
  - unique: flight_id
  - not_null: [flight_id, weather_kind]
  - relationships: {column: flight_id, to: staging.stg_flights}
columns:
  weather_kind: As in stg_weather; `not known` also where the hour was not recorded.
---*/
SELECT
    f.flight_id,
    f.flight_date,
    f.origin,
    f.carrier,
    f.dep_delay,
    f.is_late,
    f.is_cancelled,
    w.rain_in,
    w.visibility_mi,
    coalesce(w.weather_kind, 'not known') AS weather_kind
FROM staging.stg_flights AS f
LEFT JOIN staging.stg_weather AS w ON w.origin = f.origin AND w.observed_hour = f.observed_hour
