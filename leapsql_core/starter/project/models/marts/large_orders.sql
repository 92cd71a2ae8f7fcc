/*---
description: Large orders, gathered as they come in; a row that is here stays.
materialized: incremental
unique_key: order_id
tests:
  - relationships: {column: customer_id, to: raw_customers, field: id}
---*/
SELECT
    order_id,
    customer_id,
    ordered_on,
    kilos,
    amount
FROM staging.stg_orders
WHERE is_large
{% if is_incremental() %}
    -- Only what came since the last build; without this line a batch would be all orders.
    AND ordered_on >= (SELECT max(ordered_on) FROM {{ this }})
{% endif %}
