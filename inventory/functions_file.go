package inventory

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// reader reads the file that an expression names.
type reader func(name string) ([]byte, error)

// maxFile is the most that one file may hold. What is read becomes a value, a
// Docker config or a file on hosts, all of which are small; the limit keeps a
// wrong path from filling the memory.
const maxFile = 16 << 20

// readIn reads files by a path relative to dir. Only regular files are read: a
// device or a pipe could block or never end.
func readIn(dir string, env func(string) (string, bool)) reader {
	return func(name string) ([]byte, error) {
		path := localPath(dir, env, name)
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", path)
		}
		if info.Size() > maxFile {
			return nil, fmt.Errorf("%s is larger than %d MiB", path, maxFile>>20)
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, maxFile))
	}
}

// fileFunc reads a file and gives it in some form.
func fileFunc(read reader, form func([]byte) (string, error)) function.Function {
	return textFunc("path", func(name string) (string, error) {
		content, err := read(name)
		if err != nil {
			return "", err
		}
		return form(content)
	})
}

func asText(content []byte) (string, error) {
	if !utf8.Valid(content) {
		return "", errors.New("the file is no UTF-8 text; filebase64 reads any file")
	}
	return string(content), nil
}

func asBase64(content []byte) (string, error) {
	return base64.StdEncoding.EncodeToString(content), nil
}

func asSHA256(content []byte) (string, error) {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}

func fileExistsFunc(read reader) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			_, err := read(args[0].AsString())
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.BoolVal(err == nil), nil
		},
	})
}

// templateFileFunc renders a file of ${…} and %{…} with the given names.
func templateFileFunc(read reader, functions map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if ty := args[1].Type(); !ty.IsObjectType() && !ty.IsMapType() {
				return cty.NilVal, function.NewArgErrorf(1, "a map of the names that the template uses is needed, not %s", ty.FriendlyName())
			}
			content, err := read(name)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return renderTemplate(name, content, args[1].AsValueMap(), functions)
		},
	})
}

func renderTemplate(name string, content []byte, vars map[string]cty.Value, functions map[string]function.Function) (cty.Value, error) {
	expr, diags := hclsyntax.ParseTemplate(content, name, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, templateError(diags)
	}
	for _, t := range expr.Variables() {
		if _, ok := vars[t.RootName()]; !ok {
			known := slices.Sorted(maps.Keys(vars))
			return cty.NilVal, fmt.Errorf("%s: the template uses %q, which it is not given.%s", where(t.SourceRange()), t.RootName(), suggest(t.RootName(), known, "%q"))
		}
	}
	v, diags := expr.Value(&hcl.EvalContext{Variables: vars, Functions: functions})
	if diags.HasErrors() {
		return cty.NilVal, templateError(diags)
	}
	return textOf(v, name)
}

// textOf gives a template's result as text. A template that is one ${…} and
// nothing else has the value in it as its result, which need not be text.
func textOf(v cty.Value, name string) (cty.Value, error) {
	if v.IsNull() || v.Type() != cty.String {
		return cty.NilVal, fmt.Errorf("%s gives %s, and a template must give text", name, v.Type().FriendlyName())
	}
	return v, nil
}

func templateError(diags hcl.Diagnostics) error {
	var lines []string
	for _, d := range diags {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", where(*d.Subject), d.Summary, d.Detail))
	}
	return errors.New(strings.Join(lines, "\n"))
}
