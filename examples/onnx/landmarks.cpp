// Landmarks of a crop with an exported network, in C++: the crop's pixels in, points of the image out.
//
//     c++ -std=c++17 landmarks.cpp -I ONNXRUNTIME/include -L ONNXRUNTIME/lib -lonnxruntime -o landmarks
//     ./landmarks network.onnx crop.ppm 128.5 97.0 190.0       # centre x, y and width of the crop in the image
//
// crop.ppm: RGB, 8 bits (P6), as wide as the network's input; examples/onnx/landmarks.py makes one from an image and a box.

#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

struct Crop {
    std::int64_t size;
    std::vector<unsigned char> rgb; // [size, size, 3]
};

Crop read_ppm(const char* path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    std::int64_t width = 0, height = 0, levels = 0;
    if (!(file >> magic >> width >> height >> levels) || magic != "P6" || width != height || width < 64 || width > 1024 || levels != 255)
        throw std::runtime_error(std::string(path) + " is no square RGB image of 8 bits (P6)");
    file.get();
    Crop crop{width, std::vector<unsigned char>(3 * width * height)};
    if (!file.read(reinterpret_cast<char*>(crop.rgb.data()), static_cast<std::streamsize>(crop.rgb.size())))
        throw std::runtime_error(std::string(path) + " is cut off");
    return crop;
}

// RGB u8 [size, size, 3] -> BGR f32 [3, size, size], each (value - 127.5) / 127.5.
std::vector<float> network_input(const Crop& crop) {
    const std::size_t pixels = crop.rgb.size() / 3;
    std::vector<float> input(3 * pixels);
    for (std::size_t pixel = 0; pixel < pixels; ++pixel)
        for (std::size_t channel = 0; channel < 3; ++channel)
            input[channel * pixels + pixel] = (crop.rgb[3 * pixel + 2 - channel] - 127.5f) / 127.5f;
    return input;
}

int main(int argc, char** argv) try {
    if (argc != 6) {
        std::cerr << "usage: landmarks network.onnx crop.ppm CENTRE_X CENTRE_Y WIDTH\n";
        return 2;
    }
    const Crop crop = read_ppm(argv[2]);
    const double centre[2] = {std::atof(argv[3]), std::atof(argv[4])}, width = std::atof(argv[5]);

    Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "landmarks");
    // On Windows the path is wide text.
    Ort::Session session(environment, argv[1], Ort::SessionOptions{});

    std::vector<float> input = network_input(crop);
    const std::array<std::int64_t, 4> shape{1, 3, crop.size, crop.size};
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    Ort::Value image = Ort::Value::CreateTensor<float>(memory, input.data(), input.size(), shape.data(), shape.size());
    const std::array<const char*, 1> inputs{"image"};
    const std::array<const char*, 2> outputs{"landmarks", "covariance"};
    auto results = session.Run(Ort::RunOptions{}, inputs.data(), &image, 1, outputs.data(), outputs.size());

    const std::int64_t points = results[0].GetTensorTypeAndShapeInfo().GetShape()[1];
    const float* landmarks = results[0].GetTensorData<float>();
    const float* covariance = results[1].GetTensorData<float>();
    // The network says -1 and 1 at the crop's borders: half of its width in the image is a unit.
    const double unit = width / 2, pixel = width / static_cast<double>(crop.size);
    for (std::int64_t i = 0; i < points; ++i) {
        for (int axis = 0; axis < 2; ++axis) {
            const double in_crop = ((landmarks[2 * i + axis] + 1.0) * crop.size - 1) / 2;
            std::cout << centre[axis] + (in_crop - (crop.size - 1) / 2.0) * pixel << ' ';
        }
        const float* c = covariance + 4 * i;
        std::cout << c[0] * unit * unit << ' ' << c[1] * unit * unit << ' ' << c[3] * unit * unit << '\n';
    }
    return 0;
} catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
}
