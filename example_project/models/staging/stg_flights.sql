/*---
description: One row per scheduled departure from New York, cancelled ones included.
materialized: view
owner: flights@example.com
group: staging
tags: [staging, flights]
tests:
  - unique: flight_id
  - not_null: [flight_id, flight_date, scheduled_at, carrier, origin, dest, distance]
  - accepted_values: {column: origin, values: [EWR, JFK, LGA]}
  - relationships: {column: carrier, to: airlines, field: carrier}
  - relationships:
      column: dest
      to: airports
      field: faa
      where: dest NOT IN ('BQN', 'PSE', 'SJU', 'STT')
      severity: warn
  - expression: is_cancelled = (departed_at IS NULL)
columns:
  flight_id: Day, carrier, flight number and origin; without the origin it would not be unique.
  flight_date: Day of scheduled departure, New York time.
  scheduled_at: Scheduled departure, New York time.
  departed_at: Actual departure, New York time; empty if cancelled.
  observed_hour: Hour of scheduled departure, to find the weather by.
  dep_delay: Minutes; negative is early; empty if cancelled.
  arr_delay: Minutes; negative is early; empty if cancelled or diverted.
  is_late: Left at least `late_after` minutes after schedule.
  is_cancelled: Never left.
  is_diverted: Left, but no arrival is recorded at the destination.
---*/
SELECT
    concat_ws('-', time_hour::DATE, carrier, flight, origin) AS flight_id,
    time_hour::DATE AS flight_date,
    {{ times.at_clock('time_hour', 'sched_dep_time') }} AS scheduled_at,
    {{ times.at_clock('time_hour', 'sched_dep_time') }} + to_minutes(dep_delay) AS departed_at,
    time_hour AS observed_hour,
    carrier,
    flight AS flight_number,
    tailnum,
    origin,
    dest,
    dep_delay,
    arr_delay,
    air_time,
    distance,
    coalesce(dep_delay >= {{ var('late_after') }}, false) AS is_late,
    dep_time IS NULL AS is_cancelled,
    dep_time IS NOT NULL AND arr_delay IS NULL AS is_diverted
FROM flights
