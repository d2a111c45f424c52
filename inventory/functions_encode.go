package inventory

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"path"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty/function"
)

var (
	base64EncodeFunc = textFunc("str", func(s string) (string, error) {
		return base64.StdEncoding.EncodeToString([]byte(s)), nil
	})
	base64DecodeFunc = textFunc("str", func(s string) (string, error) {
		plain, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "", err
		}
		if !utf8.Valid(plain) {
			return "", errors.New("what it encodes is no text")
		}
		return string(plain), nil
	})
	urlEncodeFunc = textFunc("str", func(s string) (string, error) { return url.QueryEscape(s), nil })
	basenameFunc  = textFunc("path", func(s string) (string, error) { return path.Base(s), nil })
	dirnameFunc   = textFunc("path", func(s string) (string, error) { return path.Dir(s), nil })

	md5Func    = digestFunc(func(b []byte) []byte { sum := md5.Sum(b); return sum[:] })
	sha1Func   = digestFunc(func(b []byte) []byte { sum := sha1.Sum(b); return sum[:] })
	sha256Func = digestFunc(func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] })
	sha512Func = digestFunc(func(b []byte) []byte { sum := sha512.Sum512(b); return sum[:] })
)

// digestFunc makes a function that gives a checksum in hexadecimal.
func digestFunc(sum func([]byte) []byte) function.Function {
	return textFunc("str", func(s string) (string, error) { return hex.EncodeToString(sum([]byte(s))), nil })
}
