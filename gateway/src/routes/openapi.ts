import { formatUsdc, PeerHostError, type Route } from '@peerhost/protocol'
import type { Request, Response } from 'express'
import type { Context } from '../context.ts'
import { walletOfHost } from '../http/request-target.ts'
import { sendJson } from '../http/send-json.ts'
import type { Project, ServedFunction } from '../routing/project-catalogue.ts'
import { ownerOf, projectUrl, queryText } from './services.ts'

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

/** `/a/{b+}` as OpenAPI writes it, and its parameters. */
function pathOf({ path }: Pick<Route, 'path'>) {
  const names = [...path.matchAll(/\{([^}+]+)\+?\}/g)].map(([, name]) => name!)
  return {
    path: path.replaceAll('+}', '}'),
    parameters: names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
  }
}

function operation({ definition, service }: ServedFunction, route: Pick<Route, 'path' | 'schemas'>, id: string) {
  const { price } = service.spec
  const { parameters } = pathOf(route)
  return {
    operationId: id,
    summary: definition.description ?? definition.name,
    ...(parameters.length > 0 && { parameters }),
    ...(route.schemas && {
      requestBody: {
        content: Object.fromEntries(Object.entries(route.schemas).map(([type, schema]) => [type, { schema }])),
      },
    }),
    responses: {
      default: { description: 'The function’s answer' },
      ...(price > 0n && { 402: { description: `Costs ${formatUsdc(price)} USDC: pay with x402 (PAYMENT-REQUIRED)` } }),
    },
    ...(price > 0n && { 'x-payment-info': { protocols: ['x402'], price: formatUsdc(price), currency: 'USDC' } }),
  }
}

/** A project's routes as OpenAPI 3.1. */
export function describeProject(context: Context, project: Project) {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const served of project.functions) {
    const { name, routes } = served.definition
    const listed: Pick<Route, 'path' | 'method' | 'schemas'>[] =
      routes.length > 0 ? routes : [{ method: 'POST', path: `/${name}` }]
    listed.forEach((route, index) => {
      const methods = route.method === 'ANY' ? METHODS : [route.method.toLowerCase()]
      for (const method of methods) {
        const { path } = pathOf(route)
        paths[path] ??= {}
        paths[path][method] ??= operation(served, route, `${name}-${index}-${method}`)
      }
    })
  }
  return {
    openapi: '3.1.0',
    info: { title: project.name, version: String(Math.max(0, ...project.functions.map((f) => f.service.version))) },
    servers: [{ url: projectUrl(context, project) }],
    paths,
  }
}

/** GET /openapi.json?owner=&project=, or at a wallet's host without `owner`. */
export function openapiRoute(context: Context) {
  return async (req: Request, res: Response): Promise<void> => {
    const owner = ownerOf(req.query.owner) ?? walletOfHost(req.headers.host)
    const name = queryText(req.query.project)
    const project = owner && name ? await context.catalogue.find(owner, name) : undefined
    if (!project) throw new PeerHostError('PH_REQUEST_NO_ROUTE', { path: req.originalUrl.slice(0, 200) })
    sendJson(req, res, 200, describeProject(context, project))
  }
}
