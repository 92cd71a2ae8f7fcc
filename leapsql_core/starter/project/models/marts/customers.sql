/*---
description: What each customer has ordered so far.
tags: [report]
tests:
  - unique: customer_id
  - not_null: [customer_id, name, orders]
---*/
SELECT
    c.id AS customer_id,
    c.name,
    c.city,
    count(o.order_id) AS orders,
    coalesce(sum(o.amount), 0) AS spent
FROM raw_customers AS c
LEFT JOIN staging.stg_orders AS o ON o.customer_id = c.id
GROUP BY c.id, c.name, c.city
