// How long a promise of a sink is waited for.
import type { Clock } from "../core/clock.ts";

/** The sink has not answered in time. */
export class LateAnswer extends Error {
  constructor(deadlineMs: number) {
    super(`no answer within ${deadlineMs} ms`);
  }
}

/** What the sink answers. Throws LateAnswer when that takes longer than `sinkDeadlineMs`; the answer is not heard then. */
export async function answerInTime<Answer>(
  answer: Promise<Answer>,
  { clock, sinkDeadlineMs }: { readonly clock: Clock; readonly sinkDeadlineMs: number },
): Promise<Answer> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(sinkDeadlineMs, () => late.reject(new LateAnswer(sinkDeadlineMs)));
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    cancel();
  }
}
