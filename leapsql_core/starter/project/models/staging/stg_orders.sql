/*---
description: One row per order, with what it comes to.
materialized: view
---*/
SELECT
    id AS order_id,
    customer_id,
    ordered_on,
    coffee,
    kilos,
    {{ money.cents('kilos * price_per_kilo') }} AS amount,
    kilos >= {{ var('large_order') }} AS is_large
FROM raw_orders
