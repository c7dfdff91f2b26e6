import { encodeInput, keccak256, MAX_BODY } from '@peerhost/protocol'
import type { Request, Response } from 'express'
import { failureOf } from '../call/answer-of.ts'
import { deliver, receiptHeader, runHeaders } from '../call/deliver.ts'
import { performFree } from '../call/perform-call.ts'
import type { Context } from '../context.ts'
import { jsonBody } from '../http/json-body.ts'
import { readBody } from '../http/read-body.ts'
import { requireOwner } from '../http/require-access.ts'
import { errorBody } from '../http/send-json.ts'
import { functionInPath, ownerInPath } from './named-function.ts'

/**
 * POST /invoke/<wallet>/<project>/<function>: runs a function with a raw event, for its owner, unpaid. The answer is what
 * the function returned; `peerhost-error` names why there is none.
 */
export function invokeRoute(context: Context) {
  return async (req: Request, res: Response): Promise<void> => {
    const giveBack = context.bodies.take(req, MAX_BODY)
    try {
      await invoke(req, res)
    } finally {
      giveBack()
    }
  }

  async function invoke(req: Request, res: Response): Promise<void> {
    const owner = ownerInPath(req)
    const body = await readBody(req, MAX_BODY)
    requireOwner(context, req, body, owner)
    if (body.length > 0) jsonBody(body)
    const served = await functionInPath(context, req)
    const input = encodeInput({ kind: 'event', body })
    const { call } = await performFree(context, {
      served,
      kind: 'event',
      input,
      inputHash: keccak256(input),
      body,
      payer: owner,
      maxPrice: 0n,
    })
    const further = [...runHeaders(call), 'peerhost-receipt', receiptHeader(call)]
    const failure = failureOf(call, served)
    await deliver(
      context,
      req,
      res,
      {
        status: failure ? failure.status : 200,
        headers: [
          ['content-type', 'application/json'],
          ['cache-control', 'no-store'],
        ],
        body: call.receipt.status > 1 ? Buffer.from(JSON.stringify(errorBody(failure!))) : call.body,
      },
      further,
    )
  }
}
