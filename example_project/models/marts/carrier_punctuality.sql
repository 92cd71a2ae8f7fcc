/*---
description: How late is each airline? Airlines with fewer than `min_flights` departures are left out.
owner: flights@example.com
group: punctuality
tags: [punctuality, report]
tests:
  - unique: [carrier, place]
  - not_null: [airline, late_percent]
  - relationships: {column: carrier, to: airlines, field: carrier}
  - expression: late_percent BETWEEN 0 AND 100
columns:
  place: 1 is the most punctual.
  late_percent: Of those that left.
  cancelled_percent: Of those scheduled.
  minutes_late: Mean delay at departure; early departures count as negative.
---*/
WITH totals AS (
    SELECT
        carrier,
        sum(scheduled)::BIGINT AS scheduled,
        sum(cancelled)::BIGINT AS cancelled,
        sum(departed)::BIGINT AS departed,
        sum(late)::BIGINT AS late,
        sum(delay_minutes)::BIGINT AS delay_minutes
    FROM intermediate.daily_carriers
    GROUP BY carrier
    HAVING sum(departed) >= {{ var('min_flights') }}
)

SELECT
    t.carrier,
    a.name AS airline,
    row_number() OVER (ORDER BY t.late / t.departed, t.carrier) AS place,
    t.scheduled,
    t.departed,
    {{ flights.percent('t.late', 't.departed') }} AS late_percent,
    {{ flights.percent('t.cancelled', 't.scheduled') }} AS cancelled_percent,
    {{ flights.tenths('t.delay_minutes / t.departed') }} AS minutes_late
FROM totals AS t
JOIN airlines AS a USING (carrier)
