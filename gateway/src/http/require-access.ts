import type { IncomingMessage } from 'node:http'
import { type Hex, PeerHostError, verifyAccess } from '@peerhost/protocol'
import { recover } from '@peerhost/protocol/native'
import type { Context } from '../context.ts'

/** The wallet that signed a request to one of the gateway's own routes. Throws PH_AUTH_MISSING, _INVALID or _EXPIRED. */
export function requireAccess(
  { domain }: Pick<Context, 'domain'>,
  req: IncomingMessage & { originalUrl?: string },
  body: Uint8Array,
): Hex {
  const header = req.headers['peerhost-auth']
  return verifyAccess(
    typeof header === 'string' ? header : undefined,
    { domain, method: req.method!, target: req.originalUrl ?? req.url!, body, now: Date.now() / 1000 },
    recover,
  )
}

/** The same, and only this wallet may: PH_AUTH_FORBIDDEN. */
export function requireOwner(
  context: Pick<Context, 'domain'>,
  req: IncomingMessage & { originalUrl?: string },
  body: Uint8Array,
  owner: Hex,
): void {
  const address = requireAccess(context, req, body)
  if (address !== owner) throw new PeerHostError('PH_AUTH_FORBIDDEN', { address, allowed: `the owner ${owner}` })
}
