/*---
description: One row per day and airline, with sums that later models can add up exactly.
materialized: incremental
unique_key: [flight_date, carrier]
owner: flights@example.com
group: punctuality
tags: [punctuality, daily]
tests:
  - not_null: [flight_date, carrier, scheduled]
  - relationships: {column: carrier, to: airlines, field: carrier}
  - expression: departed + cancelled = scheduled
columns:
  scheduled: Departures in the timetable.
  departed: Those that left.
  late: Those that left at least `late_after` minutes after schedule.
  delay_minutes: Sum over those that left; early ones count as negative.
---*/
SELECT
    flight_date,
    carrier,
    count(*) AS scheduled,
    count(*) FILTER (WHERE is_cancelled) AS cancelled,
    count(dep_delay) AS departed,
    count(*) FILTER (WHERE is_late) AS late,
    coalesce(sum(dep_delay), 0)::BIGINT AS delay_minutes
FROM staging.stg_flights
{% if is_incremental() %}
-- The last day is read again: more of its flights may have come in since.
WHERE flight_date >= (SELECT max(flight_date) FROM {{ this }})
{% endif %}
GROUP BY flight_date, carrier
