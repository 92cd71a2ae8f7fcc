/*---
description: Do pilots make up lost time in the air? Per airline, over flights that left late.
owner: flights@example.com
group: punctuality
tags: [punctuality, report]
tests:
  - unique: carrier
  - not_null: [carrier, late_departures]
  - relationships: {column: carrier, to: airlines, field: carrier}
columns:
  minutes_made_up: Mean of delay at departure less delay at arrival; negative means that more was lost.
  made_up_percent: Of late departures, those that arrived less late than they left.
---*/
SELECT
    carrier,
    count(*) AS late_departures,
    {{ flights.tenths('avg(dep_delay - arr_delay)') }} AS minutes_made_up,
    {{ flights.percent('count(*) FILTER (WHERE arr_delay < dep_delay)', 'count(*)') }} AS made_up_percent,
    round(avg(distance), 0)::BIGINT AS mean_miles
FROM staging.stg_flights
WHERE is_late AND arr_delay IS NOT NULL
GROUP BY carrier
HAVING count(*) >= {{ var('min_flights') }}
