/*---
description: At what hour is it best to leave, and from which airport?
owner: flights@example.com
group: punctuality
tags: [punctuality, report]
tests:
  - unique: {columns: [origin, hour]}
  - accepted_values: {column: part_of_day, values: [night, morning, afternoon, evening]}
  - expression: hour BETWEEN 0 AND 23
columns:
  hour: Of scheduled departure, New York time.
  median_minutes_late: Half of the departures were later than that.
---*/
SELECT
    origin,
    hour(scheduled_at) AS hour,
    {{ times.part_of_day('hour(scheduled_at)') }} AS part_of_day,
    count(*) AS scheduled,
    {{ flights.percent('count(*) FILTER (WHERE is_cancelled)', 'count(*)') }} AS cancelled_percent,
    {{ flights.percent('count(*) FILTER (WHERE is_late)', 'count(dep_delay)') }} AS late_percent,
    {{ flights.tenths('avg(dep_delay)') }} AS minutes_late,
    median(dep_delay) AS median_minutes_late
FROM staging.stg_flights
GROUP BY origin, hour(scheduled_at)
