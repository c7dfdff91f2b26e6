import express from 'express'
import serverless from 'serverless-http'
import { catalogue } from './catalogue.ts'

const app = express()
app.use(express.json())

app.get('/api/products', (_request, response) => {
  response.json([...catalogue.values()])
})

app.get('/api/products/:sku', (request, response) => {
  const product = catalogue.get(request.params.sku)
  if (product) response.json(product)
  else response.status(404).json({ message: 'No such product' })
})

app.post('/api/echo', (request, response) => {
  response.status(201).json({ received: request.body })
})

export const handler = serverless(app)
