/*---
description: Which hundred planes flew farthest from New York, and what are they?
owner: fleet@example.com
group: fleet
tags: [fleet, report]
tests:
  - unique: [tailnum, place]
  - not_null: [tailnum, carriers, miles]
  - expression: place BETWEEN 1 AND 100
columns:
  place: 1 flew the most miles.
  carriers: Airlines that it flew for, by code.
  miles: Outbound flights alone; what flew back is not in the data.
  model: Empty where the registry does not know the tail number.
---*/
WITH planes_flown AS (
    SELECT
        tailnum,
        string_agg(DISTINCT carrier, ', ' ORDER BY carrier) AS carriers,
        manufacturer,
        model,
        age_years,
        count(*) AS departures,
        count(DISTINCT dest) AS destinations,
        sum(distance)::BIGINT AS miles,
        {{ flights.tenths('sum(air_time) / 60') }} AS hours_in_air
    FROM intermediate.flight_planes
    WHERE tailnum IS NOT NULL AND NOT is_cancelled
    GROUP BY tailnum, manufacturer, model, age_years
)

SELECT
    row_number() OVER (ORDER BY miles DESC, tailnum) AS place,
    *
FROM planes_flown
QUALIFY place <= 100
