import { createHash, randomBytes } from 'node:crypto';
import type { TokenHash } from '@holdfast/store';

/** 128 bits, public: it may stand in URLs and logs. */
export const newSessionId = (): string => randomBytes(16).toString('base64url');

/** 256 bits, secret: it goes to the client and nowhere else. */
export const newToken = (): string => randomBytes(32).toString('base64url');

export const hashToken = (token: string): TokenHash => createHash('sha256').update(token).digest('base64url');
