/*---
description: One row per airport and hour, with the weather in a word.
materialized: view
owner: weather@example.com
group: staging
tags: [staging, weather]
tests:
  - unique: {columns: [origin, observed_hour]}
  - not_null: [origin, observed_hour, weather_kind]
  - accepted_values: {column: weather_kind, values: [heavy rain, rain, mist, wind, fair, not known]}
  - expression: {expression: wind_mph < 60, severity: warn}
columns:
  observed_hour: New York time.
  rain_in: Inches in that hour.
  visibility_mi: Miles; 10 is as far as the instrument sees.
  weather_kind: The worst that applies of heavy rain (0.1 inches an hour), rain, mist (under 5 miles) and wind (20 mph).
---*/
SELECT
    origin,
    time_hour AS observed_hour,
    temp::DECIMAL(5, 2) AS temp_f,
    wind_speed::DECIMAL(5, 2) AS wind_mph,
    wind_gust::DECIMAL(5, 2) AS gust_mph,
    precip::DECIMAL(5, 2) AS rain_in,
    visib::DECIMAL(4, 2) AS visibility_mi,
    {{ weather.kind('precip', 'visib', 'wind_speed', 'wind_gust') }} AS weather_kind
FROM weather
