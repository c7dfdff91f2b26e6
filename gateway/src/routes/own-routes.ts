import type { IncomingMessage, ServerResponse } from 'node:http'
import { PeerHostError } from '@peerhost/protocol'
import { trustlessGateway } from '@peerhost/storage'
import express, { type NextFunction, type Request, type Response } from 'express'
import type { Context } from '../context.ts'
import { sendError, sendJson } from '../http/send-json.ts'
import { discoveryRoute } from './discovery.ts'
import { invokeRoute } from './invoke.ts'
import { logsRoute } from './logs.ts'
import { mcpRoute } from './mcp.ts'
import { openapiRoute } from './openapi.ts'
import { proveRoute } from './prove.ts'
import { servicesRoute } from './services.ts'
import { uploadRoute } from './upload.ts'

/** The gateway's own routes hold nothing that depends on who asks from where: any page may read them. */
const CROSS_ORIGIN = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD, POST',
  'access-control-allow-headers': 'accept, content-type, mcp-protocol-version, mcp-session-id, peerhost-auth',
  'access-control-max-age': '86400',
  'content-length': '0',
}

type Route = (req: Request, res: Response) => Promise<void>

/** Counts a route that runs functions among the calls under way. */
const counted =
  ({ inFlight }: Context, route: Route): Route =>
  async (req, res) => {
    inFlight.enter()
    try {
      await route(req, res)
    } finally {
      inFlight.leave()
    }
  }

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
  app.get('/.well-known/x402', discoveryRoute(context))
  app.get('/openapi.json', openapiRoute(context))
  app.post('/mcp', counted(context, mcpRoute(context)))
  app.post('/prove', counted(context, proveRoute(context)))
  app.post('/invoke/:wallet/:project/:function', counted(context, invokeRoute(context)))
  app.get('/logs/:wallet/:project/:function', logsRoute(context))
  app.options(/.*/, (_req, res) => {
    res.writeHead(204, CROSS_ORIGIN).end()
  })

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
