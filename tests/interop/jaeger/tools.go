// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build tools

// Package jaeger names what go.mod is for, so that it stays required.
package jaeger

import _ "github.com/jaegertracing/jaeger/cmd/jaeger"
