// A message that shows what a running service does to mail now.
import { eventually } from "./eventually.ts";
import type { Service } from "./service.ts";
import { plainMessage, send } from "./smtp-client.ts";

/** The subject with which the next message, sent as "probe", comes to Drop. */
export async function subjectOfNext(service: Service): Promise<string> {
  const before = (await service.drop()).map((file) => file.name);
  await send(service.port, { data: plainMessage("probe") });
  const file = await eventually(
    async () => (await service.drop()).find((one) => !before.includes(one.name)),
    { what: "the probe in Drop" },
  );
  return /^Subject: (.*)\r$/m.exec(file.content.toString("latin1"))?.[1] ?? "";
}
