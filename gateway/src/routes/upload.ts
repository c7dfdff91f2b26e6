import type { IncomingMessage, ServerResponse } from 'node:http'
import { acceptUpload, carLimit } from '@peerhost/storage'
import type { Context } from '../context.ts'
import { ByteBudget } from '../http/byte-budget.ts'
import { Quota } from '../http/quota.ts'
import { readBody } from '../http/read-body.ts'
import { requireAccess } from '../http/require-access.ts'
import { sendJson } from '../http/send-json.ts'
import { callerOf, sourceAddress } from '../http/source-address.ts'

/** Wallets that one source may use to the full. */
const WALLETS_OF_ONE = 4
/** Uploads of the greatest size that are held in memory at once. */
const MAX_AT_ONCE = 4

/** POST /ipfs: a CAR of one file, signed by any wallet, within its quota. Answers `{cid, size}`. */
export function uploadRoute(context: Context) {
  const { limits } = context.config
  const quota = new Quota(limits.uploadBytesPerHour, 3_600_000)
  // Wallets cost nothing: whoever makes many of them is still one source.
  const sources = new Quota(WALLETS_OF_ONE * limits.uploadBytesPerHour, 3_600_000)
  const budget = new ByteBudget(MAX_AT_ONCE * carLimit(limits.maxUploadBytes))
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const giveBack = budget.take(req, carLimit(limits.maxUploadBytes))
    try {
      await take(req, res)
    } finally {
      giveBack()
    }
  }

  async function take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readBody(req, carLimit(limits.maxUploadBytes))
    const wallet = requireAccess(context, req, body)
    quota.take(wallet, body.length)
    sources.take(callerOf(sourceAddress(req, context.isTrustedProxy)), body.length)
    const stored = await acceptUpload(context.content, body, { maxBytes: limits.maxUploadBytes })
    context.log('info', 'content stored', { wallet, cid: stored.cid, size: stored.size })
    sendJson(req, res, 200, stored)
  }
}
