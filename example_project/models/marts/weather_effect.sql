/*---
description: Does the weather explain it?
owner: weather@example.com
group: weather
tags: [weather, report]
tests:
  - unique: weather_kind
  - not_null: [weather_kind, scheduled]
  - expression: share_percent BETWEEN 0 AND 100
columns:
  share_percent: Of all scheduled departures.
  minutes_late: Mean delay at departure.
  delay_share_percent: Of all minutes of delay at departure.
---*/
WITH kinds AS (
    SELECT
        weather_kind,
        count(*) AS scheduled,
        count(dep_delay) AS departed,
        count(*) FILTER (WHERE is_cancelled) AS cancelled,
        count(*) FILTER (WHERE is_late) AS late,
        sum(dep_delay) AS delay_minutes
    FROM intermediate.flight_weather
    GROUP BY weather_kind
)

SELECT
    weather_kind,
    scheduled,
    {{ flights.percent('scheduled', '(SELECT sum(scheduled) FROM kinds)') }} AS share_percent,
    {{ flights.percent('cancelled', 'scheduled') }} AS cancelled_percent,
    {{ flights.percent('late', 'departed') }} AS late_percent,
    {{ flights.tenths('delay_minutes / nullif(departed, 0)') }} AS minutes_late,
    {{ flights.percent('delay_minutes', '(SELECT sum(delay_minutes) FROM kinds)') }} AS delay_share_percent
FROM kinds
