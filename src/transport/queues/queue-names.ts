// Queues as people name them: in any case, a host as the settings write it, and a next hop for all its queues.

/** As names are compared: [192.0.2.1]:25 is 192.0.2.1:25. Not for connections, where the case of a socket's path counts. */
export const comparable = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replace(/^\[([^\]]*)\]/, "$1");

/** Whether a name means the queue of this key: a next hop without the domain behind it means all its queues. Both are comparable. */
export const isMeant = (name: string, key: string): boolean => key === name || key.startsWith(`${name} for `);
