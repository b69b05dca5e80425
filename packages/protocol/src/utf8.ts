// The language has this everywhere it runs, but not in the library of ES2022.
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };

/** The UTF-8 length of a text, or the length of bytes: what counts against windows and limits. */
export function sizeOf(data: string | Uint8Array): number {
  if (typeof data !== 'string') return data.length;
  let bytes = data.length;
  for (let i = 0; i < data.length; i++) {
    const unit = data.charCodeAt(i);
    if (unit <= 0x7f) continue;
    if (unit <= 0x7ff) bytes++;
    else if (isSurrogatePair(unit, data.charCodeAt(i + 1))) {
      // Two units, four bytes.
      bytes += 2;
      i++;
    } else bytes += 2;
  }
  return bytes;
}

/** The text of a carrier that is a string already, or its UTF-8 bytes; undefined if they are not valid. */
export function textOf(data: string | Uint8Array): string | undefined {
  if (typeof data === 'string') return data;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}

const isSurrogatePair = (high: number, low: number): boolean =>
  high >= 0xd800 && high <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
