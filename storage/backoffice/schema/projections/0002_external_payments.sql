-- What a bill came to when a payment of it was planned, in minor units: what was paid whole on its day
-- stays paid whole when the bill comes to more later. Null where the register did not know the bill.

ALTER TABLE payments ADD COLUMN bill_minor BIGINT;
