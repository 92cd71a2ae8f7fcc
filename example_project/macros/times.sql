{# A clock reading such as 1435, on the day and hour given, as a timestamp. #}
{% macro at_clock(hour, clock) -%}
{{ hour }} + to_minutes({{ clock }} % 100)
{%- endmacro %}

{# The half hour that a timestamp lies in, as '14:30'. #}
{% macro half_hour(moment) -%}
strftime(time_bucket(INTERVAL 30 MINUTES, {{ moment }}), '%H:%M')
{%- endmacro %}

{# Hours from one timestamp to another, to one place. #}
{% macro hours_between(earlier, later) -%}
(date_diff('minute', {{ earlier }}, {{ later }}) / 60)::DECIMAL(5, 1)
{%- endmacro %}

{# The part of the day that an hour, 0 to 23, belongs to. #}
{% macro part_of_day(hour) -%}
CASE
        WHEN {{ hour }} < 6 THEN 'night'
        WHEN {{ hour }} < 12 THEN 'morning'
        WHEN {{ hour }} < 18 THEN 'afternoon'
        ELSE 'evening'
    END
{%- endmacro %}
