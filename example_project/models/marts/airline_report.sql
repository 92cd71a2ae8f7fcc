/*---
description: One airline at a glance, punctuality, time made up and age of its planes side by side.
materialized: view
owner: flights@example.com
group: punctuality
tags: [report]
tests:
  - unique: airline
  - not_null: [airline, place, late_percent]
  - expression: plane_known_percent BETWEEN 0 AND 100
columns:
  minutes_made_up: Empty for an airline with fewer than `min_flights` late departures.
  mean_age: Years, over departures whose plane the registry knows.
  plane_known_percent: Departures whose plane the registry knows; low for airlines that report fleet numbers.
---*/
WITH fleets AS (
    SELECT
        carrier,
        {{ flights.tenths('avg(age_years)') }} AS mean_age,
        {{ flights.percent('count(age_years)', 'count(*)') }} AS plane_known_percent
    FROM intermediate.flight_planes
    WHERE NOT is_cancelled
    GROUP BY carrier
)

SELECT
    c.airline,
    c.place,
    c.scheduled,
    c.late_percent,
    c.cancelled_percent,
    m.minutes_made_up,
    f.mean_age,
    f.plane_known_percent
FROM marts.carrier_punctuality AS c
LEFT JOIN marts.time_made_up AS m ON m.carrier = c.carrier
LEFT JOIN fleets AS f ON f.carrier = c.carrier
