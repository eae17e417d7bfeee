// Ids of private properties for sinks that tests call without a service.
import { type PropertyIdRange, PropertyIdRanges } from "../../src/message/property-ids.ts";

export const allocPropertyIds = (owner: string, count: number): PropertyIdRange =>
  new PropertyIdRanges().allocate(owner, count);
