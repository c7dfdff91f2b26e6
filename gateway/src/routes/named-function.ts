import { type Hex, PeerHostError, parseAddress } from '@peerhost/protocol'
import type { Request } from 'express'
import type { Context } from '../context.ts'
import type { ServedFunction } from '../routing/project-catalogue.ts'

/** The owner in a path `/…/<wallet>/<project>/<function>`; throws PH_REQUEST_NO_ROUTE. */
export function ownerInPath(req: Request): Hex {
  const owner = parseAddress(req.params.wallet)
  if (owner) return owner
  throw new PeerHostError('PH_REQUEST_NO_ROUTE', { path: req.path.slice(0, 200) })
}

/** The function in such a path; throws PH_REQUEST_NO_ROUTE, or why it is not served. */
export async function functionInPath({ catalogue }: Context, req: Request): Promise<ServedFunction> {
  const project = await catalogue.find(ownerInPath(req), String(req.params.project))
  const served = project?.functions.find(({ definition }) => definition.name === req.params.function)
  if (!served) throw project?.problem ?? new PeerHostError('PH_REQUEST_NO_ROUTE', { path: req.path.slice(0, 200) })
  return served
}
