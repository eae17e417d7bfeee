// The part of libbase64 and libmime that we call; neither package ships types.
declare module "libbase64" {
  const libbase64: { wrap(text: string, lineLength?: number): string };
  export default libbase64;
}

declare module "libmime" {
  const libmime: {
    encodeWord(text: string, encoding: "Q" | "B", maxLength: number): string;
    encodeWords(text: string, encoding: "Q" | "B", maxLength: number): string;
  };
  export default libmime;
}
