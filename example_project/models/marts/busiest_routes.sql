/*---
description: Which routes are the busiest, and how late do they run? Those under `min_flights` departures are left out.
owner: flights@example.com
group: routes
tags: [routes, report]
tests:
  - unique: [route, place]
  - not_null: [route, destination, scheduled]
  - expression: share_percent BETWEEN 0 AND 100
columns:
  route: Origin and destination, by code.
  destination: Name of the airport; four in the Caribbean are not in the list of airports.
  carriers: How many airlines fly it.
  share_percent: Of all departures from that origin.
---*/
WITH routes AS (
    SELECT
        origin,
        dest,
        count(*) AS scheduled,
        count(DISTINCT carrier) AS carriers,
        max(distance) AS miles,
        sum(count(*)) OVER (PARTITION BY origin) AS scheduled_from_origin,
        {{ flights.percent('count(*) FILTER (WHERE is_late)', 'count(dep_delay)') }} AS late_percent,
        {{ flights.tenths('avg(dep_delay)') }} AS minutes_late
    FROM stg_flights
    GROUP BY origin, dest
    -- Not HAVING, which would take small routes out of the sum above as well.
    QUALIFY count(*) >= {{ var('min_flights') }}
)

SELECT
    r.origin || '-' || r.dest AS route,
    row_number() OVER (ORDER BY r.scheduled DESC, r.origin, r.dest) AS place,
    coalesce(a.name, 'not in the list (' || r.dest || ')') AS destination,
    r.scheduled,
    r.carriers,
    r.miles,
    {{ flights.percent('r.scheduled', 'r.scheduled_from_origin') }} AS share_percent,
    r.late_percent,
    r.minutes_late
FROM routes AS r
LEFT JOIN airports AS a ON a.faa = r.dest
