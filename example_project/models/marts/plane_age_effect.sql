/*---
description: Do old planes run late?
owner: fleet@example.com
group: fleet
tags: [fleet, report]
tests:
  - unique: age_band
  - not_null: [age_band, planes, scheduled]
columns:
  age_band: Years; `not known` has most of the cancelled, for often no plane had been named.
  youngest: Age of its youngest plane, to sort by.
  planes: Tail numbers.
---*/
SELECT
    age_band,
    min(age_years) AS youngest,
    count(DISTINCT tailnum) AS planes,
    count(*) AS scheduled,
    round(avg(seats), 0)::BIGINT AS mean_seats,
    {{ flights.percent('count(*) FILTER (WHERE is_cancelled)', 'count(*)') }} AS cancelled_percent,
    {{ flights.percent('count(*) FILTER (WHERE is_late)', 'count(dep_delay)') }} AS late_percent,
    {{ flights.tenths('avg(dep_delay)') }} AS minutes_late
FROM intermediate.flight_planes
GROUP BY age_band
