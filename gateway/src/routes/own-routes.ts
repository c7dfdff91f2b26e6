import type { IncomingMessage, ServerResponse } from 'node:http'
import { PeerHostError } from '@peerhost/protocol'
import { trustlessGateway } from '@peerhost/storage'
import express, { type NextFunction, type Request, type Response } from 'express'
import type { Context } from '../context.ts'
import { sendError, sendJson } from '../http/send-json.ts'
import { servicesRoute } from './services.ts'
import { uploadRoute } from './upload.ts'

/** The gateway's own routes, as an express application. */
export function createOwnRoutes(context: Context, isReady: () => string | undefined) {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', 'simple')

  app.get('/healthz', (req, res) => sendJson(req, res, 200, { status: 'ok' }))
  app.get('/readyz', (req, res) => {
    const problem = isReady()
    sendJson(req, res, problem ? 503 : 200, problem ? { status: 'not ready', problem } : { status: 'ready' })
  })
  app.get('/metrics', async (_req, res) => {
    const { registry } = context.metrics
    res.setHeader('content-type', registry.contentType)
    res.end(await registry.metrics())
  })

  app.post('/ipfs', uploadRoute(context))
  const content = trustlessGateway(context.content)
  app.use('/ipfs/', (req, res) => content(req, res))
  app.get('/services', servicesRoute(context))

  app.use((req, _res, next) => next(new PeerHostError('PH_REQUEST_NO_ROUTE', { path: req.path.slice(0, 200) })))
  app.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
    // What express throws itself, for example for a path that is not valid percent-encoding.
    const { status, message } = error as { status?: unknown; message?: string }
    if (error instanceof URIError || (typeof status === 'number' && status < 500 && !(error instanceof PeerHostError)))
      return sendError(req, res, new PeerHostError('PH_REQUEST_INVALID', { detail: message ?? 'it is malformed' }))
    sendError(req, res, error)
  })
  return app as unknown as (req: IncomingMessage, res: ServerResponse) => void
}
