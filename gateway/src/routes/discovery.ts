import type { Request, Response } from 'express'
import type { Context } from '../context.ts'
import { sendJson } from '../http/send-json.ts'
import { ownerOf, projectUrl } from './services.ts'

const MAX_RESOURCES = 1_000

/** GET /.well-known/x402?owner=: the priced routes of this gateway with what they ask for (x402 version 2). */
export function discoveryRoute(context: Context) {
  return async (req: Request, res: Response): Promise<void> => {
    const resources = []
    for (const project of await context.catalogue.list(ownerOf(req.query.owner))) {
      for (const served of project.functions) {
        if (served.service.spec.price === 0n || resources.length >= MAX_RESOURCES) continue
        const accepts = [context.payments.offer(served)]
        const { definition } = served
        const description = definition.description ?? `${project.name}/${definition.name}`
        const routes =
          definition.routes.length > 0 ? definition.routes : [{ method: 'ANY', path: `/${definition.name}` }]
        for (const { method, path } of routes)
          resources.push({
            resource: `${projectUrl(context, project)}${path}`,
            type: 'http',
            method,
            description,
            x402Version: 2,
            accepts,
          })
      }
    }
    sendJson(req, res, 200, { x402Version: 2, resources })
  }
}
