/*---
description: Departures of a plane that had left New York before on the same day, side by side with that earlier one.
owner: fleet@example.com
group: fleet
tags: [fleet]
tests:
  - unique: [flight_id, previous_flight_id]
  - not_null: [tailnum, previous_dep_delay, dep_delay]
  - expression: departed_at >= previous_departed_at
columns:
  hours_between: Scheduled, from departure to departure; the plane flew out and back in between.
  previous_arr_delay: How late the earlier flight reached its destination, in minutes; empty if diverted.
---*/
WITH departures AS (
    SELECT
        *,
        lag(flight_id) OVER same_day AS previous_flight_id,
        lag(scheduled_at) OVER same_day AS previous_scheduled_at,
        lag(departed_at) OVER same_day AS previous_departed_at,
        lag(dep_delay) OVER same_day AS previous_dep_delay,
        lag(arr_delay) OVER same_day AS previous_arr_delay
    FROM staging.stg_flights
    WHERE tailnum IS NOT NULL AND NOT is_cancelled
    -- Sometimes one tail number is written down for two flights at once: the id decides.
    WINDOW same_day AS (PARTITION BY tailnum, flight_date ORDER BY departed_at, flight_id)
)

SELECT
    flight_id,
    flight_date,
    tailnum,
    carrier,
    origin,
    previous_flight_id,
    previous_departed_at,
    departed_at,
    {{ times.hours_between('previous_scheduled_at', 'scheduled_at') }} AS hours_between,
    previous_dep_delay,
    previous_arr_delay,
    dep_delay,
    is_late
FROM departures
WHERE previous_flight_id IS NOT NULL
