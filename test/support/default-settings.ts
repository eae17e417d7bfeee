// The settings of a service whose configuration says nothing of them, for tests that put parts of it together by hand.
import { brokerSettings } from "../../src/composition/scripts/service-capabilities.ts";
import { retrySettings } from "../../src/composition/settings.ts";
import { configSchema } from "../../src/config/schema.ts";

const config = configSchema.parse({});
const [server] = config.virtualServers;
if (server === undefined) throw new Error("a configuration without words has no virtual server");

export const DEFAULT_RETRY_SETTINGS = retrySettings(server).remote;
export const DEFAULT_BROKER_SETTINGS = brokerSettings(config);
