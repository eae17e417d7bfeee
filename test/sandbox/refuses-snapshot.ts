// Code behind the runtime that makes its snapshot fail, as a platform may: where it is made the host is a function of JavaScript.
export const REFUSES_SNAPSHOT = `
  const connectRuntime = __onarrivalConnect;
  globalThis.__onarrivalConnect = (host) => {
    if (!String(host).includes("[native code]")) throw new Error("refused here");
    return connectRuntime(host);
  };`;
