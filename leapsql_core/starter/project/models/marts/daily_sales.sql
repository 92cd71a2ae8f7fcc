/*---
description: Kilos and money by day and coffee.
tags: [report]
tests:
  - expression: kilos > 0
---*/
SELECT
    ordered_on,
    coffee,
    sum(kilos) AS kilos,
    sum(amount) AS amount
FROM staging.stg_orders
GROUP BY ordered_on, coffee
