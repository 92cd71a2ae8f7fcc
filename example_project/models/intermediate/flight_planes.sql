/*---
description: Each departure with the plane that flew it; for about one in six the registry knows none.
materialized: view
owner: fleet@example.com
group: fleet
tags: [fleet]
tests:
  - unique: flight_id
  - accepted_values: {column: age_band, values: [under 5, 5 to 9, 10 to 14, 15 to 19, 20 and more, not known]}
columns:
  age_band: Years since the plane was built.
---*/
SELECT
    f.flight_id,
    f.carrier,
    f.tailnum,
    f.dest,
    f.dep_delay,
    f.is_late,
    f.is_cancelled,
    f.air_time,
    f.distance,
    p.manufacturer,
    p.model,
    p.seats,
    p.age_years,
    CASE
        WHEN p.age_years IS NULL THEN 'not known'
        WHEN p.age_years < 5 THEN 'under 5'
        WHEN p.age_years < 10 THEN '5 to 9'
        WHEN p.age_years < 15 THEN '10 to 14'
        WHEN p.age_years < 20 THEN '15 to 19'
        ELSE '20 and more'
    END AS age_band
FROM staging.stg_flights AS f
LEFT JOIN staging.stg_planes AS p ON p.tailnum = f.tailnum
