-- Profit on parts of a colour, by the supplier's nation and year
WITH profits AS (
    SELECT
        n_name AS nation_name,
        year(o_orderdate) AS o_year,
        l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity AS amount
    FROM part
    JOIN lineitem ON l_partkey = p_partkey
    JOIN supplier ON s_suppkey = l_suppkey
    JOIN partsupp ON ps_partkey = l_partkey AND ps_suppkey = l_suppkey
    JOIN orders ON o_orderkey = l_orderkey
    JOIN nation ON n_nationkey = s_nationkey
    WHERE p_name LIKE '%green%'
)

SELECT nation_name, o_year, sum(amount) AS sum_profit
FROM profits
GROUP BY nation_name, o_year
ORDER BY nation_name, o_year DESC
