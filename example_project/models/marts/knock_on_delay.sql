/*---
description: When a plane comes late to where it goes, how late does it next leave New York?
owner: fleet@example.com
group: fleet
tags: [fleet, punctuality, report]
tests:
  - unique: previous_arrival
  - not_null: [previous_arrival, departures]
columns:
  previous_arrival: How late the plane's earlier flight of the day reached its destination.
  previous_minutes_late: Mean delay of those earlier arrivals.
---*/
SELECT
    {{ flights.delay_band('previous_arr_delay') }} AS previous_arrival,
    count(*) AS departures,
    {{ flights.percent('count(*) FILTER (WHERE is_late)', 'count(*)') }} AS late_percent,
    median(hours_between) AS median_hours_between,
    {{ flights.tenths('avg(previous_arr_delay)') }} AS previous_minutes_late,
    {{ flights.tenths('avg(dep_delay)') }} AS minutes_late
FROM intermediate.plane_rotations
GROUP BY {{ flights.delay_band('previous_arr_delay') }}
