-- What came of calls that campaigns made.
ALTER TABLE calls ADD COLUMN campaign TEXT;
-- CAMPAIGN-PLACE, as the ledger numbers its leads.
ALTER TABLE calls ADD COLUMN lead TEXT;
ALTER TABLE calls ADD COLUMN dial_result TEXT;
-- Final SIP status of the called party; 0 if none came.
ALTER TABLE calls ADD COLUMN sip_status INTEGER;
CREATE INDEX calls_by_campaign ON calls (campaign, admitted_ms) WHERE campaign IS NOT NULL;
