{# An amount of money, to the cent. A model calls it as money.cents('a * b'). #}
{% macro cents(amount) -%}
round({{ amount }}, 2)::DECIMAL(12, 2)
{%- endmacro %}
