/*---
description: How did each day go, and which way do the days go?
owner: flights@example.com
group: punctuality
tags: [punctuality, daily, report]
tests:
  - unique: flight_date
  - not_null: [flight_date, weekday, minutes_late, minutes_late_7_days]
  - accepted_values:
      column: weekday
      values: [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday]
columns:
  minutes_late: Mean delay at departure.
  change: Minutes more than the day before; empty on the first day.
  minutes_late_7_days: Mean over all departures of that day and the six before it, as far as there are any.
---*/
WITH days AS (
    SELECT
        flight_date,
        sum(scheduled)::BIGINT AS scheduled,
        sum(cancelled)::BIGINT AS cancelled,
        sum(departed)::BIGINT AS departed,
        sum(late)::BIGINT AS late,
        sum(delay_minutes)::BIGINT AS delay_minutes
    FROM intermediate.daily_carriers
    GROUP BY flight_date
),

rated AS (
    SELECT
        *,
        {{ flights.tenths('delay_minutes / nullif(departed, 0)') }} AS minutes_late,
        sum(delay_minutes) OVER week AS week_delay_minutes,
        sum(departed) OVER week AS week_departed
    FROM days
    WINDOW week AS (ORDER BY flight_date ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
)

SELECT
    flight_date,
    dayname(flight_date) AS weekday,
    scheduled,
    {{ flights.percent('cancelled', 'scheduled') }} AS cancelled_percent,
    {{ flights.percent('late', 'departed') }} AS late_percent,
    minutes_late,
    minutes_late - lag(minutes_late) OVER (ORDER BY flight_date) AS change,
    {{ flights.tenths('week_delay_minutes / nullif(week_departed, 0)') }} AS minutes_late_7_days
FROM rated
