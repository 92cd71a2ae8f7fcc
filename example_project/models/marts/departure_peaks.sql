/*---
description: When do most planes leave each airport? The three fullest half hours of its timetable.
owner: flights@example.com
group: routes
tags: [routes, report]
tests:
  - unique: {columns: [origin, place]}
  - accepted_values: {column: place, values: [1, 2, 3]}
  - relationships: {column: origin, to: airports, field: faa}
columns:
  half_hour: Its beginning, New York time.
  per_day: Mean scheduled departures in that half hour.
---*/
WITH half_hours AS (
    SELECT
        origin,
        {{ times.half_hour('scheduled_at') }} AS half_hour,
        count(*) AS scheduled,
        {{ flights.tenths('count(*) / count(DISTINCT flight_date)') }} AS per_day,
        {{ flights.tenths('avg(dep_delay)') }} AS minutes_late
    FROM staging.stg_flights
    GROUP BY origin, {{ times.half_hour('scheduled_at') }}
)

SELECT
    h.origin,
    a.name AS airport,
    row_number() OVER (PARTITION BY h.origin ORDER BY h.scheduled DESC, h.half_hour) AS place,
    h.half_hour,
    h.scheduled,
    h.per_day,
    h.minutes_late
FROM half_hours AS h
JOIN airports AS a ON a.faa = h.origin
QUALIFY place <= 3
