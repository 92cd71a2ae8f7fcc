/*---
description: On which days did an airport cancel more than one departure in ten, and was it the rain?
materialized: view
owner: weather@example.com
group: weather
tags: [weather, report]
tests:
  - unique: {columns: [flight_date, origin]}
  - expression: cancelled_percent > 10
columns:
  rain_in: Inches that fell at the airport that day.
  worst_visibility_mi: Miles, in the worst hour.
---*/
WITH departures AS (
    SELECT
        flight_date,
        origin,
        count(*) AS scheduled,
        {{ flights.percent('count(*) FILTER (WHERE is_cancelled)', 'count(*)') }} AS cancelled_percent,
        {{ flights.tenths('avg(dep_delay)') }} AS minutes_late
    FROM staging.stg_flights
    GROUP BY flight_date, origin
),

skies AS (
    SELECT
        observed_hour::DATE AS flight_date,
        origin,
        sum(rain_in)::DECIMAL(6, 2) AS rain_in,
        min(visibility_mi) AS worst_visibility_mi
    FROM staging.stg_weather
    GROUP BY observed_hour::DATE, origin
)

SELECT
    d.flight_date,
    d.origin,
    d.scheduled,
    d.cancelled_percent,
    d.minutes_late,
    s.rain_in,
    s.worst_visibility_mi
FROM departures AS d
LEFT JOIN skies AS s ON s.flight_date = d.flight_date AND s.origin = d.origin
WHERE d.cancelled_percent > 10
