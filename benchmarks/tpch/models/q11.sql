-- Parts that make up a notable part of the stock in a nation
WITH stock AS (
    SELECT ps_partkey, ps_supplycost * ps_availqty AS worth
    FROM partsupp
    JOIN supplier ON s_suppkey = ps_suppkey
    JOIN nation ON n_nationkey = s_nationkey
    WHERE n_name = 'GERMANY'
)

SELECT ps_partkey, sum(worth) AS part_value
FROM stock
GROUP BY ps_partkey
HAVING sum(worth) > (SELECT sum(worth) * {{ var('notable') }} FROM stock)
ORDER BY part_value DESC
