-- title: Whether sums are of a budget
-- asked by: the question budgets
-- unit: no answer of its own
-- columns: none
--
-- Of a budget b and of the sums g of a combination of dimensions.
(empty(b.tenants) OR has(b.tenants, g.tenant_id))
    AND (empty(b.operations) OR has(b.operations, g.operation_name))
    AND (empty(b.providers) OR has(b.providers, g.provider))
    AND (empty(b.models) OR has(b.models, g.model))
    AND (empty(b.services) OR has(b.services, g.service_name))
    AND (empty(b.environments) OR has(b.environments, g.environment))
