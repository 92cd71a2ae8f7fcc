/*---
description: One row per airliner that the aircraft registry knows by its tail number.
materialized: view
owner: fleet@example.com
group: staging
tags: [staging, fleet]
tests:
  - unique: tailnum
  - not_null: [tailnum, manufacturer, model, seats]
  - accepted_values:
      column: manufacturer
      values: [Airbus, Boeing, Bombardier, Embraer, McDonnell Douglas]
  - expression: age_years BETWEEN 0 AND 30
columns:
  manufacturer: One name per maker; the registry has several.
  age_years: In 2013; empty where the registry has no year.
---*/
SELECT
    tailnum,
    CASE
        WHEN manufacturer LIKE 'AIRBUS%' THEN 'Airbus'
        WHEN manufacturer LIKE 'MCDONNELL DOUGLAS%' THEN 'McDonnell Douglas'
        WHEN manufacturer LIKE 'BOMBARDIER%' OR manufacturer = 'CANADAIR' THEN 'Bombardier'
        ELSE manufacturer[1] || lower(manufacturer[2:])
    END AS manufacturer,
    model,
    seats,
    year AS built_in,
    2013 - year AS age_years
FROM planes
-- Two airlines report fleet numbers; by chance some of these are the tail number of a light aircraft or business jet.
WHERE engine IN ('Turbo-fan', 'Turbo-jet') AND seats >= 20 AND manufacturer <> 'GULFSTREAM AEROSPACE'
