{# The one word that says most about an hour: the first that applies, worst first. #}
{% macro kind(rain, visibility, wind, gust) -%}
CASE
        WHEN {{ rain }} >= 0.1 THEN 'heavy rain'
        WHEN {{ rain }} > 0 THEN 'rain'
        WHEN {{ visibility }} < 5 THEN 'mist'
        WHEN greatest({{ wind }}, {{ gust }}) >= 20 THEN 'wind'
        WHEN {{ wind }} IS NULL THEN 'not known'
        ELSE 'fair'
    END
{%- endmacro %}
