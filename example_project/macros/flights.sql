{# A number to one place, exact: a decimal has no -0.0 and compares as it reads. #}
{% macro tenths(number) -%}
({{ number }})::DECIMAL(9, 1)
{%- endmacro %}

{# A share in percent, to one place; NULL where the whole is zero. #}
{% macro percent(part, whole) -%}
{{ tenths('100.0 * ' ~ part ~ ' / nullif(' ~ whole ~ ', 0)') }}
{%- endmacro %}

{# The delay in minutes as people speak of it. The digit in front sorts the words by length. #}
{% macro delay_band(minutes) -%}
CASE
        WHEN {{ minutes }} IS NULL THEN 'not known'
        WHEN {{ minutes }} < {{ var('late_after') }} THEN '1 on time'
        WHEN {{ minutes }} < 60 THEN '2 under an hour'
        WHEN {{ minutes }} < 120 THEN '3 one to two hours'
        ELSE '4 two hours and more'
    END
{%- endmacro %}
